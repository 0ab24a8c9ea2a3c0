manager "noc" {
  devices = ["*"]
}

manager "script" {
  authorized_keys = []
  devices         = ["*"]
}

gateway {
  port = 830
}
