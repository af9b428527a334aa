<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8">
<title>Guest book</title>
<link rel="stylesheet" href="/style.css">
</head>
<body>
<img src="/logo.svg" alt="" width="48" height="48">
<?= $body ?>
</body>
</html>
