callhome {
  adress = "0.0.0.0"
}

state_dirs = "/tmp"

gateway {
  port = 830
}
