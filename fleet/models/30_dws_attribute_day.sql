SELECT site, local_day, entrance, attribute_name, class_name, SUM(persons) AS persons
FROM dwd_attribute_class GROUP BY site, local_day, entrance, attribute_name, class_name
