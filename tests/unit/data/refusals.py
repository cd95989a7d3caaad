"""What a reader says of what it refuses."""

import pytest
from densedepth.errors import PipelineError


def refusal(function, *arguments, **options):
    """The one line with which a call is refused."""
    with pytest.raises(PipelineError) as caught:
        function(*arguments, **options)
    assert "\n" not in str(caught.value)
    return str(caught.value)


def refusal_of_file(read, path):
    """The same of reading a file, which the line names first."""
    message = refusal(read, path)
    assert message.startswith(path)
    return message
