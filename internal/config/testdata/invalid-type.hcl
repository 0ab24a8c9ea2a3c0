callhome {
  enabled = "yes"
  port    = "ssh"
  users   = "fleet"
  address = ["0.0.0.0"]
}

state_dir = {}

gateway {
  port = 830
}
