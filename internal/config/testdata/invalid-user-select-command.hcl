callhome {
  user_select {
    command       = ["keys/hook"]
    ca            = "pki/ca.pem"
    authorization = env("PASSWORD")
  }
}

gateway {
  port = 830
}
