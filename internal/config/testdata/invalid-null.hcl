user "fleet" {
  username = "netconf"
  password = env("PASSWORD")
}


callhome {
  users = [null, "fleet"]
  port  = null
}

gateway {
  port = 830
}
