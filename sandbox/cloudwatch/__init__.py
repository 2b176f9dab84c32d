"""The sandbox's CloudWatch alarms: stored whole, and evaluated by the rules that AWS documents."""
