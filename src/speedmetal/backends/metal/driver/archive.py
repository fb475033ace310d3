"""What Metal's compiler made of kernels, kept on disk: binary archives.

Metal compiles in two steps: source to an intermediate form, and that, when a pipeline is made, to
the code of one GPU. The second takes longer, and an archive saves it: 57 ms became 0.1 ms in a
public report. An archive holds one function and lies, as bytes, in the cache of compiled kernels,
which is private to the user, checks that entries are whole, writes them by renaming and removes the
oldest ones. Metal itself reads and writes archives as files only, so each passes through a
temporary one.

Nothing here can fail a launch: without an archive a pipeline is made from the function alone.
"""

from __future__ import annotations

import os
import tempfile
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path
from typing import Any

from speedmetal.backends.metal.driver.context import MetalContext
from speedmetal.system.disk_cache import DiskCache, default_cache

SWITCH_VARIABLE = "SPEEDMETAL_METAL_ARCHIVES"
"""Environment variable that turns archives off where it is ``0``, and leaves the cache on."""

_FORMAT = 1

_NO_OPTIONS = 0  # MTLPipelineOptionNone


def pipeline_state(context: MetalContext, descriptor: Any, source_key: str) -> tuple[Any, Any]:
    """A pipeline state, from its archive where there is one; else it is made and archived.

    Must be called inside an autorelease pool.

    Args:
        context: Where it runs.
        descriptor: An ``MTLComputePipelineDescriptor`` with its function.
        source_key: What tells its code from that of all other functions.

    Returns:
        The ``MTLComputePipelineState`` or None, and then the ``NSError``.
    """
    cache = default_cache()
    if cache.folder is None or os.environ.get(SWITCH_VARIABLE) == "0":
        return _state(context, descriptor)
    # The identity has the GPU's name and the build of its system.
    key = f"metal archive {_FORMAT} {context.identity} {source_key}"
    return _state_from_bytes(context, descriptor, cache.get(key)) or _compile_and_archive(
        context, descriptor, cache, key
    )


def _state(context: MetalContext, descriptor: Any) -> tuple[Any, Any]:
    """A pipeline state: from the archives that the descriptor has, or else compiled."""
    state, error = context.native.newComputePipelineStateWithDescriptor_options_reflection_error_(
        descriptor, _NO_OPTIONS, None, None
    )
    return state, error


def _state_from_bytes(
    context: MetalContext, descriptor: Any, content: bytes | None
) -> tuple[Any, None] | None:
    """The state from an archive's bytes; None where there are none, or Metal refuses them."""
    if content is None:
        return None

    def read_state(path: Path) -> tuple[Any, None] | None:
        path.write_bytes(content)
        archive = _archive(context, path)
        if archive is None:
            return None
        descriptor.setBinaryArchives_([archive])
        state, _ = _state(context, descriptor)
        return None if state is None else (state, None)

    found: tuple[Any, None] | None = _with_file(read_state)
    return found


def _compile_and_archive(
    context: MetalContext, descriptor: Any, cache: DiskCache, key: str
) -> tuple[Any, Any]:
    """The state of a function that is compiled now, whose archive is kept if that is possible."""
    archive = _archive(context, None)
    is_filled = archive is not None and _succeeds(
        archive.addComputePipelineFunctionsWithDescriptor_error_(descriptor, None)
    )
    # The archive is asked first, so that what it compiled is not compiled again.
    descriptor.setBinaryArchives_([archive] if is_filled else [])
    state, error = _state(context, descriptor)
    if is_filled and state is None:
        descriptor.setBinaryArchives_([])
        state, error = _state(context, descriptor)
    elif is_filled and (
        content := _with_file(lambda path: _serialise_archive(context, archive, path))
    ):
        cache.put(key, content)
    return state, error


def _serialise_archive(context: MetalContext, archive: Any, path: Path) -> bytes | None:
    url = context.bridge.Foundation.NSURL.fileURLWithPath_(str(path))
    return path.read_bytes() if _succeeds(archive.serializeToURL_error_(url, None)) else None


def _archive(context: MetalContext, path: Path | None) -> Any:
    """An ``MTLBinaryArchive`` with a file's content, or an empty one; None where it is refused."""
    bridge = context.bridge
    descriptor = bridge.Metal.MTLBinaryArchiveDescriptor.alloc().init()
    if path is not None:
        descriptor.setUrl_(bridge.Foundation.NSURL.fileURLWithPath_(str(path)))
    archive, _ = context.native.newBinaryArchiveWithDescriptor_error_(descriptor, None)
    return archive


def _succeeds(result: tuple[bool, Any]) -> bool:
    return bool(result[0])


def _with_file(use: Callable[[Path], Any]) -> Any:
    """What ``use`` makes of a file in a folder of our own; None where the disk refuses."""
    with (
        suppress(OSError),
        tempfile.TemporaryDirectory(prefix="speedmetal-", ignore_cleanup_errors=True) as folder,
    ):
        return use(Path(folder) / "kernel.metalarchive")
    return None
