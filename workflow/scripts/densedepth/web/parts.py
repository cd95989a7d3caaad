"""What pages in the browser share, the report and the demo of a network: base.css and clouds.js in `templates`."""

import os

FOLDER = os.path.join(os.path.dirname(os.path.abspath(__file__)), "templates")
