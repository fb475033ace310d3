"""``python -m speedmetal``: the command line, as the console script ``speedmetal`` starts it."""

from speedmetal.cli import main

if __name__ == "__main__":
    main()
