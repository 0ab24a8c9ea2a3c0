gateway {
  port    = 830
  user_ca = [file("keys/plain.pub")]
}

manager "script" {
  principals = ["ops", ""]
  devices    = ["*"]
}

manager "nobody" {
  principals = []
  devices    = ["*"]
}
