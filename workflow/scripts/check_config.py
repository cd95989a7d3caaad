"""Check a configuration as the pipeline does before it starts.

    python workflow/scripts/check_config.py config/config.yaml config/nyu.yaml

Later files override earlier ones. Needs the interpreter of Snakemake (.venv/workflow/bin/python).
"""

import os
import sys

import cli
from densedepth import configuration, old_names, provenance
from densedepth.errors import PipelineError

_SCHEMA = os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "schemas", "config.schema.yaml")


def build_parser():
    arguments = cli.parser(__doc__)
    arguments.add_argument("files", nargs="+", metavar="FILE", help="config files, the base first")
    arguments.add_argument("--schema", default=os.path.normpath(_SCHEMA), help="the schema")
    return arguments


def work(args):
    config = {}
    for path in args.files:
        config = configuration.merge(config, configuration.read(path))
    schema = configuration.schema(args.schema)
    config, warning = old_names.renamed(config)
    if warning:
        print(warning, file=sys.stderr)
    config = configuration.completed(config, schema)
    found, usable = configuration.checked(config, schema)
    found += provenance.missing(usable)
    for line in found:
        print(line, file=sys.stderr)
    if found:
        raise PipelineError("{} problems in {}".format(len(found), ", ".join(args.files)))
    print("the configuration is valid")


def main(argv=None):
    return cli.run(build_parser(), work, argv)


if __name__ == "__main__":
    sys.exit(main())
