<h1><?= $escape($words['about']) ?></h1>
<p><?= $escape($words['visits']) ?>: <?= $visits ?></p>
