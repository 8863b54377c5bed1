"""`python -m unihpe.cli`: the same as the `unihpe` command."""

from unihpe.cli import main

if __name__ == "__main__":
    main()
