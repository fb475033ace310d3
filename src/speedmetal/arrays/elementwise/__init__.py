"""Functions that are computed element by element: lazy operations of the graph.

A module for each family. What they have in common:

* Operands are arrays, numbers of Python's and NumPy's, and NumPy's arrays, which are copied; one of
  them at least is an array. Shapes are broadcast.
* Types are promoted as in the array API. A Python number takes the type of the arrays beside it
  where that has its kind; integers in a function of floats are float32. Functions that are composed
  of several operations are computed in float32 where the elements are float16 or bfloat16, and
  rounded once.
* ``UserInputError`` is raised where there is no array, a type is not taken, shapes do not go
  together, arrays are on different devices, or an integer does not fit into the type beside it.
* Nothing is computed before a value is asked for, and then all that belongs together at once.
"""
