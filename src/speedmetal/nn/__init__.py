"""The functions of neural networks' layers: ``sm.nn``.

They are functions of arrays, without state: weights are arguments. What is elementwise is lazy and
fuses with what is around it, as everywhere; where a kernel computes more, what comes before is
computed as it loads, and what comes after as it stores. The kernels are in ``nn/kernels/``.
"""

from speedmetal.arrays.along_axes.softmaxes import log_softmax, softmax
from speedmetal.arrays.elementwise.activations import gelu, relu, sigmoid, silu, softplus
from speedmetal.nn.embedding import embedding, embedding_bag, one_hot
from speedmetal.nn.graphs import aggregate_neighbours, graph_convolution, normalised_adjacency
from speedmetal.nn.recurrent import gru, gru_cell, lstm, lstm_cell, rnn_cell
from speedmetal.nn.rotary import rope

__all__ = [
    "aggregate_neighbours",
    "embedding",
    "embedding_bag",
    "gelu",
    "graph_convolution",
    "gru",
    "gru_cell",
    "log_softmax",
    "lstm",
    "lstm_cell",
    "normalised_adjacency",
    "one_hot",
    "relu",
    "rnn_cell",
    "rope",
    "sigmoid",
    "silu",
    "softmax",
    "softplus",
]
