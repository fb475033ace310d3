"""The functions of neural networks' layers: ``sm.nn``.

They are functions of arrays, without state: weights are arguments. What is elementwise is lazy and
fuses with what is around it, as everywhere; where a kernel computes more, what comes before is
computed as it loads, and what comes after as it stores. The kernels are in ``nn/kernels/``.
"""

from speedmetal.arrays.along_axes.softmaxes import log_softmax, softmax
from speedmetal.arrays.elementwise.activations import gelu, relu, sigmoid, silu, softplus
from speedmetal.nn.activations import (
    celu,
    elu,
    glu,
    hardshrink,
    hardsigmoid,
    hardswish,
    hardtanh,
    leaky_relu,
    log_sigmoid,
    mish,
    prelu,
    quick_gelu,
    relu6,
    selu,
    softmin,
    softshrink,
    softsign,
    swiglu,
    tanhshrink,
    threshold,
)
from speedmetal.nn.attention import scaled_dot_product_attention
from speedmetal.nn.channels import batch_norm, batch_statistics, group_norm, instance_norm
from speedmetal.nn.class_losses import cross_entropy, nll_loss
from speedmetal.nn.convolution import (
    conv1d,
    conv2d,
    conv3d,
    conv_transpose1d,
    conv_transpose2d,
    conv_transpose3d,
)
from speedmetal.nn.dropping import (
    dropout,
)
from speedmetal.nn.embedding import embedding, embedding_bag, one_hot
from speedmetal.nn.graphs import aggregate_neighbours, graph_convolution, normalised_adjacency
from speedmetal.nn.linear import bilinear, linear
from speedmetal.nn.losses import (
    binary_cross_entropy,
    binary_cross_entropy_with_logits,
    huber_loss,
    kl_div,
    l1_loss,
    mse_loss,
    smooth_l1_loss,
)
from speedmetal.nn.normalisation import layer_norm, rms_norm
from speedmetal.nn.pooling import (
    adaptive_avg_pool1d,
    adaptive_avg_pool2d,
    adaptive_avg_pool3d,
    adaptive_max_pool1d,
    adaptive_max_pool2d,
    adaptive_max_pool3d,
    avg_pool1d,
    avg_pool2d,
    avg_pool3d,
    max_pool1d,
    max_pool2d,
    max_pool3d,
)
from speedmetal.nn.recurrent import gru, gru_cell, lstm, lstm_cell, rnn_cell
from speedmetal.nn.rotary import rope
from speedmetal.nn.upsampling import pixel_shuffle, upsample

__all__ = [
    "adaptive_avg_pool1d",
    "adaptive_avg_pool2d",
    "adaptive_avg_pool3d",
    "adaptive_max_pool1d",
    "adaptive_max_pool2d",
    "adaptive_max_pool3d",
    "aggregate_neighbours",
    "avg_pool1d",
    "avg_pool2d",
    "avg_pool3d",
    "batch_norm",
    "batch_statistics",
    "bilinear",
    "binary_cross_entropy",
    "binary_cross_entropy_with_logits",
    "celu",
    "conv1d",
    "conv2d",
    "conv3d",
    "conv_transpose1d",
    "conv_transpose2d",
    "conv_transpose3d",
    "cross_entropy",
    "dropout",
    "elu",
    "embedding",
    "embedding_bag",
    "gelu",
    "glu",
    "graph_convolution",
    "group_norm",
    "gru",
    "gru_cell",
    "hardshrink",
    "hardsigmoid",
    "hardswish",
    "hardtanh",
    "huber_loss",
    "instance_norm",
    "kl_div",
    "l1_loss",
    "layer_norm",
    "leaky_relu",
    "linear",
    "log_sigmoid",
    "log_softmax",
    "lstm",
    "lstm_cell",
    "max_pool1d",
    "max_pool2d",
    "max_pool3d",
    "mish",
    "mse_loss",
    "nll_loss",
    "normalised_adjacency",
    "one_hot",
    "pixel_shuffle",
    "prelu",
    "quick_gelu",
    "relu",
    "relu6",
    "rms_norm",
    "rnn_cell",
    "rope",
    "scaled_dot_product_attention",
    "selu",
    "sigmoid",
    "silu",
    "smooth_l1_loss",
    "softmax",
    "softmin",
    "softplus",
    "softshrink",
    "softsign",
    "swiglu",
    "tanhshrink",
    "threshold",
    "upsample",
]
