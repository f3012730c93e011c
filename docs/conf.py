"""Settings of the documentation: ``make docs`` builds it into ``docs/_build/html``."""

import sys
from pathlib import Path

ROOT = Path(__file__).parents[1]
sys.path[:0] = [str(ROOT), str(ROOT / "backends")]

import qrnn_circuits  # noqa: E402

project = "qrnn-circuits"
author = "The qrnn-circuits developers"
copyright = author
version = release = qrnn_circuits.__version__

extensions = [
    "myst_nb",
    "sphinx.ext.autodoc",
    "sphinx.ext.autosummary",
    "sphinx.ext.napoleon",
    "tools.site.public_names",
    "tools.site.command_reference",
    "tools.site.mathml",
    "tools.site.notebooks",
]
exclude_patterns = ["_build"]
templates_path = ["_templates"]
nitpicky = True
# Imported for types alone.
nitpick_ignore = [("py:class", "Figure"), ("py:class", "NoiseModel")]

myst_enable_extensions = ["colon_fence", "dollarmath"]
myst_heading_anchors = 4
# Notebooks are shown with the outputs that they are kept with, which the tests compare.
nb_execution_mode = "off"

autosummary_ignore_module_all = False
autodoc_typehints_format = "short"
autodoc_member_order = "bysource"
autodoc_preserve_defaults = True
python_use_unqualified_type_names = True
python_maximum_signature_line_length = 80
napoleon_numpy_docstring = False
napoleon_use_ivar = True
# Blocks without a language are for a shell, or what a command prints.
highlight_language = "none"

# Two hyphens begin an option.
smartquotes = False
pygments_dark_style = "github-dark"

html_theme = "furo"
html_title = "qrnn-circuits"
html_static_path = ["_static"]
html_css_files = ["site.css"]
html_math_renderer = "mathml"
html_show_copyright = False
html_copy_source = False
html_show_sourcelink = False
html_theme_options = {"sidebar_hide_name": False}
