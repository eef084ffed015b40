"""The library behind the scripts: reads labs, runs them, proves them, shows them."""
