"""A handler in Python with boto3, to measure ours beside: the same way from events to Kinesis, without the spill.

Run by `process.py`, as Lambda's runtime would run it.
"""

import http.client
import json
import os
import secrets

import boto3

from batch import pack, requests

API = os.environ["AWS_LAMBDA_RUNTIME_API"]
INVOCATION = "/2018-06-01/runtime/invocation"


def handle(kinesis, event):
    count, records = pack(event)
    for request in requests(records):
        entries = [{"Data": record.encode(), "PartitionKey": secrets.token_hex(8)} for record in request]
        answer = kinesis.put_records(StreamName=os.environ["SPLIT_PIPELINE_STREAM"], Records=entries)
        assert answer["FailedRecordCount"] == 0
    return {"statusCode": 200, "body": json.dumps({"received": count, "delivered": count})}


def main():
    kinesis = boto3.client("kinesis")
    runtime = http.client.HTTPConnection(API)
    while True:
        runtime.request("GET", f"{INVOCATION}/next")
        answer = runtime.getresponse()
        request_id, event = answer.headers["lambda-runtime-aws-request-id"], answer.read()
        response = json.dumps(handle(kinesis, event))
        runtime.request("POST", f"{INVOCATION}/{request_id}/response", response)
        runtime.getresponse().read()


if __name__ == "__main__":
    main()
