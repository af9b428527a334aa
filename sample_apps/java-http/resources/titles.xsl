<?xml version="1.0" encoding="UTF-8"?>
<xsl:stylesheet version="1.0" xmlns:xsl="http://www.w3.org/1999/XSL/Transform">
<xsl:output method="html" encoding="UTF-8"/>
<xsl:template match="/tasks"><ol><xsl:for-each select="task"><xsl:sort select="."/><li><xsl:value-of select="."/></li></xsl:for-each></ol></xsl:template>
</xsl:stylesheet>
