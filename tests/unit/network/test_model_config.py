"""The description of a network as plain data."""

import pytest
from densedepth.errors import PipelineError
from densedepth.network.model import Model, model_from_dict


def test_defaults_are_the_ports_network():
    assert Model() == Model("densenet169", "half", "half_pixel", True)


def test_round_trip_through_a_dict():
    paper = Model(encoder="densenet201", width="full", upsampling="align_corners", mid_activation=False)
    fields = paper.as_dict()
    assert fields == {
        "encoder": "densenet201",
        "width": "full",
        "upsampling": "align_corners",
        "mid_activation": False,
    }
    assert model_from_dict(fields) == paper
    assert model_from_dict({}) == Model()


def test_differences_are_told_as_settings():
    paper = Model("densenet169", "full", "align_corners", False)
    told = "model.decoder: full, model.upsampling: align_corners, model.mid_activation: false"
    assert paper.settings_unlike(Model()) == told
    assert Model("densenet121").settings_unlike(Model()) == "model.encoder: densenet121"


@pytest.mark.parametrize(
    "fields, pattern",
    [
        ({"encoder": "densenet161"}, r"encoder is 'densenet161', legal are densenet121, densenet169, densenet201"),
        ({"width": "Half"}, r"width is 'Half', legal are half, full"),
        ({"upsampling": "nearest"}, r"upsampling is 'nearest', legal are half_pixel, align_corners, asymmetric"),
        ({"mid_activation": 1}, r"mid_activation is 1, legal are True, False"),
        ({"mid_activation": "true"}, r"mid_activation is 'true'"),
        ({"depth": 3}, r"unknown key 'depth', legal are encoder, mid_activation, upsampling, width"),
    ],
)
def test_anything_else_is_refused(fields, pattern):
    with pytest.raises(PipelineError, match=pattern):
        model_from_dict(fields)


def test_a_model_cannot_be_changed():
    with pytest.raises(AttributeError):
        Model().width = "full"
