listener "vendor" {
  port = 4444
}

gateway {
  port = 830
}
