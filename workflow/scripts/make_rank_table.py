"""Write the rank table of this Ascend host: which device is which rank.

    python workflow/scripts/make_rank_table.py --count 8 --out hccl_8p.json

The addresses of the devices' network ports are read from hccn.conf, or given. 2 and 4 devices of first 910s must lie in
one ring, 0 1 2 3 or 4 5 6 7; --chip A3 has 16 devices and no rings. With --check, a given table is checked and nothing
is written.
"""

import sys

import cli
from densedepth import files
from densedepth.errors import PipelineError
from densedepth.platforms import ascend_chips, ascend_rank_table


def build_parser():
    arguments = cli.parser(__doc__)
    add = arguments.add_argument
    counts = list(ascend_chips.A3.counts)
    add("--count", type=int, choices=counts, default=8, metavar="N", help="devices 0 to N - 1, without --devices")
    add("--chip", choices=["910", "A2", "A3"], default="910", help="of the server")
    add("--devices", type=cli.number("npu"), nargs="+", help="physical numbers of the devices, N of /dev/davinciN")
    add("--hccn", default=ascend_rank_table.HCCN_CONF, help="file with the lines address_N=IP")
    add("--addresses", nargs="+", help="address of each device, instead of --hccn")
    add("--server_id", help="name of this host in the table; default: its IP address")
    add("--out", default="rank_table.json", help="table to write")
    add("--check", metavar="TABLE", help="only check this table")
    return arguments


def work(args):
    if args.check:
        _show(ascend_rank_table.load(args.check))
        return
    chip = ascend_chips.CHIPS[args.chip]
    devices = args.devices or list(range(args.count))
    if len(set(devices)) != len(devices):
        raise PipelineError("--devices: a device is named twice")
    if args.addresses:
        if len(args.addresses) != len(devices):
            raise PipelineError("--addresses: {} for {} devices".format(len(args.addresses), len(devices)))
        table = ascend_rank_table.build(
            args.server_id or ascend_rank_table.own_address(), dict(zip(devices, args.addresses)), chip
        )
    else:
        table = ascend_rank_table.of_host(devices, args.hccn, args.server_id, chip)
    files.write_json(args.out, table)
    _show(ascend_rank_table.load(args.out))


def _show(devices):
    for device in devices:
        print("rank {0.rank}: device {0.device} of {0.server}, {0.address}".format(device))


def main(argv=None):
    return cli.run(build_parser(), work, argv, writes=("out",))


if __name__ == "__main__":
    sys.exit(main())
