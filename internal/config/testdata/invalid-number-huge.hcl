state_dir = "${1e999999}"
