"""Extensions of Sphinx for the documentation, and a check of what it has built."""
