gateway {
  port    = 830
  user_ca = [file("keys/plain.pub")]
}

manager "noc" {
  devices = ["*"]
}

manager "ops" {
  principals = ["ops", "noc"]
  devices    = ["*"]
}

manager "script" {
  principals = ["ops", ""]
  devices    = ["*"]
}

manager "nobody" {
  principals = []
  devices    = ["*"]
}
