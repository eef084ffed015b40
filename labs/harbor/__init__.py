"""Harbor Goods, the small web shop that every lab attacks and defends.

Each module is one part of the shop and can be used alone; `shop` puts the parts together.
Nothing here listens on a port: `internet` carries requests between host names in memory.
"""
