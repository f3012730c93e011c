"""The experiments of Bausch, arXiv:2006.14619, run again."""
