"""The CPU: typed IR to LLVM, in process. It is always there."""
