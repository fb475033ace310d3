"""Operations on arrays, written in the kernel language. Imported when one of them is first run."""
