user "fleet" {
  username = "netconf"
  password = env("PASSWORD")
}


callhome {
  users = ["flet", "fleet", "fleet", "somebody"]
}

gateway {
  port = 830
}
