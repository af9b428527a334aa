<?xml version="1.0" encoding="UTF-8"?>
<xsl:stylesheet version="1.0" xmlns:xsl="http://www.w3.org/1999/XSL/Transform">
<xsl:output method="html" encoding="UTF-8"/>
<xsl:template match="/entries"><ul><xsl:apply-templates select="entry"><xsl:sort/></xsl:apply-templates></ul></xsl:template>
<xsl:template match="entry"><li><xsl:value-of select="."/></li></xsl:template>
</xsl:stylesheet>
