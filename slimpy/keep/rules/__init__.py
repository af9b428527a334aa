"""The rules of the policy table, one file each."""
