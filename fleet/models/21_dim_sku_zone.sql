SELECT DISTINCT stock.site, fixture.zone_name, stock.sku
FROM dwd_stock AS stock
JOIN dwd_store_fixture AS fixture ON fixture.site = stock.site AND fixture.fixture = stock.fixture
JOIN (SELECT site, device, MAX(time_s) AS newest_s FROM dwd_store GROUP BY site, device) AS setup
  ON setup.site = fixture.site AND setup.device = fixture.device AND setup.newest_s = fixture.time_s
WHERE fixture.zone_name IS NOT NULL
