audit {
  file       = "open/audit.log"
  body_limit = "64KiB"
}

gateway {
  port = 830
}
