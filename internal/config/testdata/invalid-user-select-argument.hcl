callhome {
  user_select {
    command = ["keys/hook", "a\u0000b"]
  }
}

gateway {
  port = 830
}
