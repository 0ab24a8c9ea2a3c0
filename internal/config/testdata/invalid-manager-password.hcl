manager "noc" {
  password = "not to be shown"
  devices  = ["*"]
}

gateway {
  port = 830
}
