"""The failing case out of its test file: the function, what it needs, and nothing else.

`names` asks Python's own symbol tables what a piece of code binds and uses, `text` cuts the source along
its syntax tree, `imports`, `parameters` and `classes` shorten what is kept, `fixtures` tells what pytest
hands in, `units` parts a module, `gather` puts the case together, `written` writes it, and `project` reads
what the run needs beside it.
"""
