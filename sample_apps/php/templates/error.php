<h1><?= $code ?></h1>
<p><?= $escape($text) ?></p>
<p><a href="/">Guest book</a></p>
