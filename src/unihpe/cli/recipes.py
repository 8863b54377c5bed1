"""`unihpe recipes`: what can be trained."""

from unihpe.cli.options import console, named


def recipes() -> None:
    """List the shipped recipes."""
    from unihpe.recipe import load_recipe, shipped_recipes

    for name in shipped_recipes():
        console.print(named(name, load_recipe(name).about.strip().splitlines()[0]))
