user "fleet" {
  username = "netconf"
  password = env("PASSWORD")
}


session "edge-1" {
  user = "fleet"
  port = 20001
}

gateway {
  port = 830
}
