"""The one exception that carries a message for the user."""


class PipelineError(Exception):
    """A problem the user can mend: names the file, key, tensor or step, what is wrong with it, and the way out.

    Programs print it as one line without a traceback and exit with status 1. Anything else that is raised is a fault
    of the program and keeps its traceback.
    """
