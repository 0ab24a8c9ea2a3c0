gateway {
  port    = 830
  user_ca = ["keys/user-ca.pub", file("keys/plain.pub")]
}
