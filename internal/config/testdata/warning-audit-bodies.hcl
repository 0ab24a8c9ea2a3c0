audit {
  file       = "audit.log"
  bodies     = ["*"]
  body_limit = "64KiB"
}

gateway {
  port = 830
}
