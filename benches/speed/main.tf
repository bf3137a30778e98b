# The same pipeline as `split-pipeline up -f examples/quickstart.yaml` makes, as Terraform would have it.

terraform {
  required_providers {
    aws = { source = "hashicorp/aws", version = "~> 5.100" }
  }
}

variable "endpoint" {}
variable "handler" {}

locals {
  name      = "split-quickstart"
  account   = data.aws_caller_identity.this.account_id
  region    = "us-east-1"
  bucket    = "${local.name}-tf-${local.account}-${local.region}"
  log_arn   = "arn:aws:logs:${local.region}:${local.account}:log-group"
  tags      = { managed-by = "terraform", split-pipeline = local.name }
  functions = "/aws/lambda/${local.name}-tf"
  errors    = "/aws/kinesisfirehose/${local.name}-tf"
}

provider "aws" {
  region                      = "us-east-1"
  access_key                  = "test"
  secret_key                  = "test"
  s3_use_path_style           = true
  skip_credentials_validation = true
  skip_metadata_api_check     = true
  default_tags { tags = local.tags }
  endpoints {
    apigateway = var.endpoint
    firehose   = var.endpoint
    iam        = var.endpoint
    kinesis    = var.endpoint
    lambda     = var.endpoint
    logs       = var.endpoint
    s3         = var.endpoint
    sts        = var.endpoint
  }
}

data "aws_caller_identity" "this" {}

resource "aws_s3_bucket" "this" {
  bucket        = local.bucket
  force_destroy = true
}

resource "aws_s3_bucket_public_access_block" "this" {
  bucket                  = aws_s3_bucket.this.id
  block_public_acls       = true
  block_public_policy     = true
  ignore_public_acls      = true
  restrict_public_buckets = true
}

resource "aws_s3_bucket_ownership_controls" "this" {
  bucket = aws_s3_bucket.this.id
  rule { object_ownership = "BucketOwnerEnforced" }
}

resource "aws_s3_bucket_server_side_encryption_configuration" "this" {
  bucket = aws_s3_bucket.this.id
  rule {
    apply_server_side_encryption_by_default { sse_algorithm = "AES256" }
  }
}

resource "aws_s3_bucket_lifecycle_configuration" "this" {
  bucket = aws_s3_bucket.this.id
  rule {
    id     = "abort-uploads"
    status = "Enabled"
    filter {}
    abort_incomplete_multipart_upload { days_after_initiation = 7 }
  }
}

resource "aws_s3_bucket_policy" "this" {
  bucket = aws_s3_bucket.this.id
  policy = jsonencode({
    Version = "2012-10-17"
    Statement = [{
      Sid       = "TlsOnly"
      Effect    = "Deny"
      Principal = "*"
      Action    = "s3:*"
      Resource  = [aws_s3_bucket.this.arn, "${aws_s3_bucket.this.arn}/*"]
      Condition = {
        Bool         = { "aws:SecureTransport" = "false" }
        NotIpAddress = { "aws:SourceIp" = ["127.0.0.0/8"] }
      }
    }]
  })
}

resource "aws_kinesis_stream" "this" {
  name             = "${local.name}-tf"
  shard_count      = 1
  retention_period = 24
  encryption_type  = "KMS"
  kms_key_id       = "alias/aws/kinesis"
}

resource "aws_cloudwatch_log_group" "functions" {
  name              = local.functions
  retention_in_days = 14
}

resource "aws_cloudwatch_log_group" "errors" {
  name              = local.errors
  retention_in_days = 14
}

resource "aws_cloudwatch_log_stream" "errors" {
  name           = "S3Delivery"
  log_group_name = aws_cloudwatch_log_group.errors.name
}

resource "aws_iam_role" "delivery" {
  name = "${local.name}-tf-delivery"
  assume_role_policy = jsonencode({
    Version = "2012-10-17"
    Statement = [{
      Effect    = "Allow"
      Principal = { Service = "firehose.amazonaws.com" }
      Action    = "sts:AssumeRole"
      Condition = { StringEquals = { "sts:ExternalId" = local.account } }
    }]
  })
}

resource "aws_iam_role_policy" "delivery" {
  name = "split-pipeline"
  role = aws_iam_role.delivery.id
  policy = jsonencode({
    Version = "2012-10-17"
    Statement = [
      {
        Effect   = "Allow"
        Action   = ["kinesis:DescribeStream", "kinesis:GetRecords", "kinesis:GetShardIterator", "kinesis:ListShards"]
        Resource = aws_kinesis_stream.this.arn
      },
      {
        Effect   = "Allow"
        Action   = ["s3:GetBucketLocation", "s3:ListBucket", "s3:ListBucketMultipartUploads"]
        Resource = aws_s3_bucket.this.arn
      },
      {
        Effect   = "Allow"
        Action   = ["s3:AbortMultipartUpload", "s3:GetObject", "s3:PutObject"]
        Resource = "${aws_s3_bucket.this.arn}/*"
      },
      {
        Effect   = "Allow"
        Action   = ["logs:PutLogEvents"]
        Resource = "${local.log_arn}:${local.errors}:log-stream:S3Delivery"
      },
    ]
  })
}

resource "aws_iam_role" "function" {
  name = "${local.name}-tf-handler"
  assume_role_policy = jsonencode({
    Version = "2012-10-17"
    Statement = [{
      Effect    = "Allow"
      Principal = { Service = "lambda.amazonaws.com" }
      Action    = "sts:AssumeRole"
    }]
  })
}

resource "aws_iam_role_policy" "function" {
  name = "split-pipeline"
  role = aws_iam_role.function.id
  policy = jsonencode({
    Version = "2012-10-17"
    Statement = [
      { Effect = "Allow", Action = ["kinesis:PutRecords"], Resource = aws_kinesis_stream.this.arn },
      {
        Effect   = "Allow"
        Action   = ["s3:PutObject"]
        Resource = ["${aws_s3_bucket.this.arn}/spill/${local.name}-tf/*", "${aws_s3_bucket.this.arn}/rejected/${local.name}-tf/*"]
      },
      {
        Effect   = "Allow"
        Action   = ["logs:CreateLogStream", "logs:PutLogEvents"]
        Resource = "${local.log_arn}:${local.functions}:log-stream:*"
      },
    ]
  })
}

resource "aws_kinesis_firehose_delivery_stream" "this" {
  name        = "${local.name}-tf"
  destination = "extended_s3"
  kinesis_source_configuration {
    kinesis_stream_arn = aws_kinesis_stream.this.arn
    role_arn           = aws_iam_role.delivery.arn
  }
  extended_s3_configuration {
    role_arn            = aws_iam_role.delivery.arn
    bucket_arn          = aws_s3_bucket.this.arn
    prefix              = "impressions/dt=!{timestamp:yyyy-MM-dd}/hour=!{timestamp:HH}/"
    error_output_prefix = "errors/!{firehose:error-output-type}/dt=!{timestamp:yyyy-MM-dd}/"
    compression_format  = "GZIP"
    file_extension      = ".ndjson.gz"
    buffering_size      = 1
    buffering_interval  = 0
    cloudwatch_logging_options {
      enabled         = true
      log_group_name  = aws_cloudwatch_log_group.errors.name
      log_stream_name = aws_cloudwatch_log_stream.errors.name
    }
  }
  depends_on = [aws_iam_role_policy.delivery]
}

resource "aws_lambda_function" "this" {
  function_name    = "${local.name}-tf"
  role             = aws_iam_role.function.arn
  runtime          = "provided.al2023"
  handler          = "bootstrap"
  architectures    = ["x86_64"]
  memory_size      = 256
  timeout          = 20
  filename         = var.handler
  source_code_hash = filebase64sha256(var.handler)
  environment {
    variables = {
      SPLIT_PIPELINE_STREAM     = aws_kinesis_stream.this.name
      SPLIT_PIPELINE_BUCKET     = aws_s3_bucket.this.id
      SPLIT_PIPELINE_RECORD_KIB = "100"
    }
  }
  depends_on = [aws_cloudwatch_log_group.functions, aws_iam_role_policy.function]
}

resource "aws_api_gateway_rest_api" "this" {
  name               = "${local.name}-tf"
  binary_media_types = ["*/*"]
  endpoint_configuration { types = ["REGIONAL"] }
}

resource "aws_api_gateway_resource" "this" {
  rest_api_id = aws_api_gateway_rest_api.this.id
  parent_id   = aws_api_gateway_rest_api.this.root_resource_id
  path_part   = "0123456789abcdef0123456789abcdef"
}

resource "aws_api_gateway_method" "this" {
  rest_api_id   = aws_api_gateway_rest_api.this.id
  resource_id   = aws_api_gateway_resource.this.id
  http_method   = "POST"
  authorization = "NONE"
}

resource "aws_api_gateway_integration" "this" {
  rest_api_id             = aws_api_gateway_rest_api.this.id
  resource_id             = aws_api_gateway_resource.this.id
  http_method             = aws_api_gateway_method.this.http_method
  type                    = "AWS_PROXY"
  integration_http_method = "POST"
  uri                     = aws_lambda_function.this.invoke_arn
}

resource "aws_api_gateway_deployment" "this" {
  rest_api_id = aws_api_gateway_rest_api.this.id
  triggers    = { api = sha256(jsonencode([aws_api_gateway_resource.this, aws_api_gateway_integration.this])) }
  depends_on  = [aws_api_gateway_integration.this]
  lifecycle { create_before_destroy = true }
}

resource "aws_api_gateway_stage" "this" {
  rest_api_id   = aws_api_gateway_rest_api.this.id
  deployment_id = aws_api_gateway_deployment.this.id
  stage_name    = "prod"
  depends_on    = [aws_kinesis_firehose_delivery_stream.this]
}

resource "aws_api_gateway_method_settings" "this" {
  rest_api_id = aws_api_gateway_rest_api.this.id
  stage_name  = aws_api_gateway_stage.this.stage_name
  method_path = "*/*"
  settings {
    throttling_rate_limit  = 10
    throttling_burst_limit = 20
  }
}

resource "aws_lambda_permission" "this" {
  statement_id  = "split-pipeline-webhook"
  action        = "lambda:InvokeFunction"
  function_name = aws_lambda_function.this.function_name
  principal     = "apigateway.amazonaws.com"
  source_arn    = "${aws_api_gateway_rest_api.this.execution_arn}/prod/POST/${aws_api_gateway_resource.this.path_part}"
}
