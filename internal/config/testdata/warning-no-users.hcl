user "fleet" {
  username = "netconf"
  password = env("PASSWORD")
}


callhome {
  enabled = true
  users   = []
}

gateway {
  port = 830
}
