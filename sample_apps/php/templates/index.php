<h1>Guest book</h1>
<ul>
<?php foreach ($entries as $entry) { ?>
<li><a href="/entries/<?= $entry['id'] ?>"><?= $escape($entry['name']) ?></a></li>
<?php } ?>
</ul>
<form method="post" action="/entries"><input name="name"> <input name="words"> <button>Sign</button></form>
<p><a href="/api/entries">All entries</a> <a href="/api/feed">Feed</a></p>
