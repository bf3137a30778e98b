"""What packing impressions into records saves: records, billed bytes and dollars a month.

    python3 benches/handler/packing.py [--impressions 1000000] [--record-kib 100]

Sizes are those of impressions as Split sends them. Prices are the list prices of `src/estimate/price.rs`: Kinesis on demand $0.08/GB in
(each record rounded up to 1 KB) and $0.04/GB out, provisioned $0.014 per million units of 25 KB in; Firehose $0.029/GB
(each record rounded up to 5 KB). Stream and shard hours, which packing does not change at this rate, are left out.
"""

import argparse
import random

BILLION = 1_000_000_000
GB = 1_000_000_000
KB = 1024
POST = 1_000

SPLITS = ["checkout", "search", "pricing"]
TREATMENTS = ["on", "off", "control", "variant_a"]
LABELS = ["default rule", "in segment all", "in split 50:50", "whitelisted"]
FIXED = len(
    '{"key":"","split":"","environmentId":"7f3c9f10-5d0b-11ee-8c99-0242ac120002","environmentName":"Production",'
    '"treatment":"","time":1700000000000,"bucketingKey":null,"label":"","machineName":"ip-10-0-3-7",'
    '"machineIp":"10.0.3.7","splitVersionNumber":1690000000000,"sdk":"java","sdkVersion":"4.10.2","properties":}\n'
)


def sizes(count):
    """Gives the sizes of impressions as lines of NDJSON."""
    chance = random.Random(42)
    for _ in range(count):
        properties = 40 if chance.random() < 0.2 else 4
        split = len(chance.choice(SPLITS)) + len("_flag_") + chance.choice([1, 2, 2, 2])
        texts = len(chance.choice(TREATMENTS)) + len(chance.choice(LABELS))
        yield FIXED + 36 + split + texts + properties


def packed(lines, record_bytes):
    """Gives the sizes of records; a post's impressions share no record with another's."""
    record = 0
    for index, size in enumerate(lines):
        if record and (record + size > record_bytes or index % POST == 0):
            yield record
            record = 0
        record += size
    if record:
        yield record


def rounded(records, unit):
    return sum(-(-size // unit) for size in records)


def measure(records, count):
    scale = BILLION / count
    kinesis_kb, firehose_5kb, units = (rounded(records, unit) for unit in (KB, 5 * KB, 25 * KB))
    data = sum(records)
    on_demand = (kinesis_kb * KB * 0.08 + data * 0.04) / GB * scale
    provisioned = units / 1e6 * 0.014 * scale
    firehose = firehose_5kb * 5 * KB / GB * 0.029 * scale
    return {
        "records": f"{len(records):,}",
        "data, MB": f"{data / 1e6:,.0f}",
        "billed by Kinesis (1 KB), MB": f"{kinesis_kb * KB / 1e6:,.0f}",
        "units of 25 KB": f"{units:,}",
        "billed by Firehose (5 KB), MB": f"{firehose_5kb * 5 * KB / 1e6:,.0f}",
        "a billion: Kinesis on demand, $": on_demand,
        "a billion: Kinesis provisioned, $": provisioned,
        "a billion: Firehose, $": firehose,
        "a billion: on demand + Firehose, $": on_demand + firehose,
        "a billion: provisioned + Firehose, $": provisioned + firehose,
    }


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--impressions", type=int, default=1_000_000)
    parser.add_argument("--record-kib", type=int, default=100)
    arguments = parser.parse_args()
    lines = list(sizes(arguments.impressions))
    one_each = measure(lines, len(lines))
    many_each = measure(list(packed(lines, arguments.record_kib * KB)), len(lines))
    print(f"| of {len(lines):,} impressions | one a record | packed | times |\n|---|---|---|---|")
    for name, unpacked in one_each.items():
        ours = many_each[name]
        if isinstance(unpacked, float):
            print(f"| {name} | {unpacked:,.2f} | {ours:,.2f} | {unpacked / ours:,.1f} |")
        else:
            print(f"| {name} | {unpacked} | {ours} | |")


if __name__ == "__main__":
    main()
