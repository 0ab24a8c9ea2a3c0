callhome {
  user_select {
    command       = ["keys/hook"]
    url           = "https://inventory.example.net/select"
    authorization = file("keys/authorized_keys")
    timeout       = "1m"
    on_error      = "ignore"
    max_running   = 0
  }

  user_select {
  }
}

gateway {
  port = 830
}
