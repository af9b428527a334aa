<h1><?= $escape($entry['name']) ?></h1>
<p><?= $escape($entry['words']) ?></p>
<p><a href="/">Guest book</a></p>
