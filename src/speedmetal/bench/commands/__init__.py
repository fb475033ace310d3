"""The commands of the command line, a module each with one function ``execute``.

It takes what was typed and returns the exit status; whatever is wrong with the input is raised as
:class:`speedmetal.errors.UserInputError`.
"""
