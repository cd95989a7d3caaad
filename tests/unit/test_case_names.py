"""The names of all cases that are run are the same in every process, so that pytest-xdist can share them out."""


def test_no_case_is_named_after_the_content_of_a_file(request):
    names = [item.nodeid for item in request.session.items]
    assert [name for name in names if "\\x00\\x00" in name or "\\xff\\xff" in name or len(name) > 350] == []
