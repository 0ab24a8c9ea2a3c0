callhome {
  user_select {
    url = "ftp://inventory.example.net/"
  }
}

gateway {
  port = 830
}
